#!/usr/bin/env node
// SPDX-License-Identifier: MIT

// Node's way of the benchmarks' work, as ../peer.h describes it: child_process. Each line of stdin
// is a verb and its arguments, and is answered with how long that took in ns.

'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { createInterface } = require('node:readline');

const now = process.hrtime.bigint;
const PIPED = { stdio: ['ignore', 'pipe', 'ignore'] };
const SILENT = { stdio: 'ignore' };

const memory = [];
let many = [];
let residentBefore = 0;

// Run it and hand its output to take(), piece by piece.
async function read(n, program, take) {
        const child = spawn(program, [String(n)], PIPED);
        let size = 0;

        child.stdout.on('data', (piece) => {
                size += piece.length;
                take(piece);
        });
        await once(child, 'close');
        if (size !== n)
                throw new Error(`${size} bytes of ${n}`);
}

async function endMany() {
        const before = now();
        const ends = many.map((child) => once(child, 'exit'));

        for (const child of many)
                child.kill();
        await Promise.all(ends);
        many = [];
        return now() - before;
}

const verbs = {
        async start(n, program) {
                const before = now();

                for (let i = 0; i < n; ++i)
                        await once(spawn(program, SILENT), 'exit');
                return now() - before;
        },

        grow(mib) {
                const before = now();

                for (let i = 0; i < mib; ++i)
                        memory.push(Buffer.alloc(1 << 20, 1));
                return now() - before;
        },

        async discard(n, program) {
                const before = now();

                await read(n, program, () => {});
                return now() - before;
        },

        async keep(n, program) {
                const before = now();
                const pieces = [];

                await read(n, program, (piece) => pieces.push(piece));
                Buffer.concat(pieces);
                return now() - before;
        },

        async cancel(n, program) {
                let took = 0n;

                for (let i = 0; i < n; ++i) {
                        const child = spawn(program, PIPED);

                        await once(child.stdout, 'data');
                        const before = now();
                        child.kill();
                        await once(child, 'exit');
                        took += now() - before;
                }
                return took;
        },

        many(n, program) {
                residentBefore = process.memoryUsage.rss();
                const before = now();

                for (let i = 0; i < n; ++i)
                        many.push(spawn(program, SILENT));
                return now() - before;
        },

        memory: () => process.memoryUsage.rss() - residentBefore,
        end: endMany,
};

(async () => {
        for await (const line of createInterface({ input: process.stdin })) {
                const [name, n, program] = line.split(' ');
                const verb = verbs[name];

                console.log(verb ? String(await verb(Number(n), program)) : '-');
        }
        await endMany();
})();

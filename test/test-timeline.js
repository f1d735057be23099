// SPDX-License-Identifier: MIT

/*
 * test-timeline.js PROGRAM MODULES: the page of --timeline in a browser, of a run with three
 * processes and of one with three hundred, on a phone and on a desk, light and dark: it draws what
 * there was, loads nothing, can be used with a mouse, a finger and a keyboard, says what it shows,
 * and fits. MODULES is a folder with playwright-core and axe-core. CURFEW_PICTURES names a folder
 * for pictures of it, to look at.
 */

"use strict";

const assert = require("node:assert/strict");
const { execFileSync, spawnSync } = require("node:child_process");
const { existsSync, mkdtempSync, rmSync } = require("node:fs");
const { createRequire } = require("node:module");
const { tmpdir } = require("node:os");
const { join, resolve } = require("node:path");
const { pathToFileURL } = require("node:url");

const [program, modules] = process.argv.slice(2).map((path) => resolve(path));
const browserPath = "/usr/bin/chromium";

function skip(reason) {
        console.log(`skipped: ${reason}`);
        process.exit(process.env.CURFEW_MUST_WORK ? 1 : 77);
}

if (!existsSync(browserPath))
        skip("there is no chromium");
if (!existsSync(join(modules, "node_modules/axe-core")))
        skip(`playwright-core and axe-core are not in ${modules}`);

const load = createRequire(join(modules, "package.json"));
const { chromium } = load("playwright-core");
const axe = load("axe-core").source;

const dir = mkdtempSync(join(tmpdir(), "curfew-timeline-"));
const pictures = process.env.CURFEW_PICTURES;

/* Nobody of them hears INT; all of them hear TERM. */
const scripts = {
        small: "trap '' INT; sleep 1000 & setsid sleep 1000 & wait",
        large: "trap '' INT; i=0; while [ $i -lt 299 ]; do sleep 1000 & i=$((i + 1)); done; wait",
};

const sizes = {
        phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
        desk: { viewport: { width: 1280, height: 900 } },
};

function makePage(name) {
        const path = join(dir, `${name}.html`);
        const { status, stderr } = spawnSync(program, [`--timeline=${path}`, "--stop=INT:.3,TERM:5",
                "2", "sh", "-c", scripts[name]], { encoding: "utf8" });
        assert.equal(status, 124, stderr);
        assert.equal(stderr, "");
        return pathToFileURL(path).href;
}

async function open(browser, url, size, colorScheme) {
        const page = await browser.newPage({ ...sizes[size], colorScheme });
        page.on("pageerror", (error) => assert.fail(error));
        page.on("console", (message) => assert.fail(message.text()));
        page.on("request", (request) => assert.equal(request.url(), url));
        await page.goto(url);
        return page;
}

async function checkFits(page) {
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wider <= 0, `the page is ${wider} pixels too wide`);
}

async function checkAccessible(page) {
        await page.addScriptTag({ content: axe });
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), []);
}

/* As long as the page is wide enough for it, each bar is where its process was. */
async function checkDrawn(page, n) {
        assert.equal(await page.locator("#verdict").textContent(), "deadline");
        assert.match(await page.locator("#summary").textContent(),
                /^It was stopped at its deadline of (2|1\.99\d) s; nothing was left after .* by step 2 \(TERM\)\.$/);
        assert.equal(await page.locator(".row").count(), n);
        assert.equal(await page.locator(".row[aria-level='1']").count(), 1);
        assert.equal(await page.locator(".row[aria-level='2']").count(), n - 1);
        assert.deepEqual(await page.locator(".flag").allTextContents(),
                ["deadline", "INT", "TERM", "leader exits"]);
        assert.equal(await page.locator(".life.asked").count(), n);
        assert.match(await page.locator("#words").textContent(), /Step 1 sent INT to every process/);

        const part = await page.evaluate(() => {
                const bar = document.querySelector(".life").getBoundingClientRect();
                const lane = document.querySelector(".row .lane").getBoundingClientRect();
                return bar.width / lane.width;
        });
        assert.ok(part > 0.5 && part <= 1, `the leader's bar takes ${part} of the time`);
}

async function checkMouse(page) {
        await page.locator(".row").nth(1).hover();
        assert.match(await page.locator("#details").textContent(), /^sleep \(\d+\), ended after step 2/);
        await page.locator(".flag.INT").hover();
        assert.match(await page.locator("#details").textContent(), /^Step 1: INT to every process/);

        const before = await page.locator(".tick").allTextContents();
        await page.click("#stop");
        assert.equal(await page.getAttribute("#stop", "aria-pressed"), "true");
        assert.notDeepEqual(await page.locator(".tick").allTextContents(), before);
        await page.click("#wider");
        await page.click("#whole");
        assert.deepEqual(await page.locator(".tick").allTextContents(), before);
}

async function checkFinger(page) {
        await page.locator(".row").nth(2).tap();
        assert.equal(await page.getAttribute(".row >> nth=2", "aria-selected"), "true");
        assert.match(await page.locator("#details").textContent(), /^(sleep|setsid) \(\d+\)/);
}

async function checkKeyboard(page, n) {
        const active = () => page.evaluate(() =>
                [...document.querySelectorAll(".row")].indexOf(document.activeElement));
        const shown = () => page.locator(".row:visible").count();

        for (let i = 0; i < 40 && (await active()) < 0; ++i)
                await page.keyboard.press("Tab");
        await page.keyboard.press("Home");
        assert.equal(await active(), 0);
        await page.keyboard.press("End");
        assert.equal(await active(), n - 1);
        await page.keyboard.press("ArrowLeft");
        assert.equal(await active(), 0);
        await page.keyboard.press("ArrowLeft");
        assert.equal(await shown(), 1);
        assert.equal(await page.getAttribute(".row >> nth=0", "aria-expanded"), "false");
        await page.keyboard.press("ArrowRight");
        assert.equal(await shown(), n);
        await page.keyboard.press("ArrowDown");
        assert.equal(await active(), 1);
}

/* What only a hand can use is not printed; the picture is. */
async function checkPrint(page) {
        await page.emulateMedia({ media: "print" });
        assert.equal(await page.isVisible(".bar-tools"), false);
        assert.equal(await page.isVisible("#details"), false);
        assert.equal(await page.isVisible(".life"), true);
        assert.ok((await page.pdf({ format: "A4" })).length > 10000);
        await page.emulateMedia({ media: null });
}

async function check(browser, name, size, colorScheme) {
        const n = { small: 3, large: 300 }[name];
        const page = await open(browser, pages[name], size, colorScheme);

        await checkDrawn(page, n);
        await checkFits(page);
        await checkAccessible(page);
        if (pictures)
                await page.screenshot({ path: join(pictures, `${name}-${size}-${colorScheme}.png`) });
        if (size === "phone")
                await checkFinger(page);
        else
                await checkMouse(page);
        await checkKeyboard(page, n);
        await checkPrint(page);
        await page.close();
}

/* The command line is data: nothing in it ends the script or becomes a part of the page. */
async function checkHostile(browser) {
        const path = join(dir, "hostile.html"), evil = "</script><b id=evil>\u2028'\"&<!--";
        execFileSync(program, [`--timeline=${path}`, "10", "true", evil]);
        const page = await open(browser, pathToFileURL(path).href, "desk", "light");
        assert.equal(await page.locator("#evil").count(), 0);
        assert.ok((await page.locator("#command").textContent()).includes("</script>"));
        await page.close();
}

const pages = {};

async function main() {
        pages.small = makePage("small");
        pages.large = makePage("large");
        const browser = await chromium.launch({
                executablePath: browserPath,
                args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                        "--disable-background-networking", "--disable-component-update",
                        "--disable-sync"],
        });
        try {
                for (const name of ["small", "large"]) {
                        await check(browser, name, "desk", "light");
                        await check(browser, name, "phone", "dark");
                }
                await checkHostile(browser);
        } finally {
                await browser.close();
                rmSync(dir, { recursive: true });
        }
}

main().catch((error) => {
        console.error(error);
        process.exit(1);
});

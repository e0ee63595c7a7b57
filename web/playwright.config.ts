import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

/**
 * Two ways to run. Without settings: against the mock of e2e/mock, which serves dist/ with the server's CSP. With
 * BACKSTOP_UI_URL: against a real server that `backstop demo` has filled; then only the specs under e2e/real run.
 */
const real = process.env.BACKSTOP_UI_URL;
const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";

export default defineConfig({
  testDir: real ? "e2e/real" : "e2e",
  outputDir: "test-results",
  fullyParallel: true,
  workers: 2,
  reporter: "list",
  timeout: 60_000,
  // What is waited for comes in milliseconds; a machine that is busy with other things may take seconds.
  expect: { timeout: 15_000 },
  use: {
    baseURL: real ?? "http://127.0.0.1:7071",
    viewport: { width: 1440, height: 900 },
    timezoneId: "Asia/Shanghai",
    locale: "en-US",
    trace: "retain-on-failure",
    launchOptions: {
      ...(existsSync(chromium) ? { executablePath: chromium } : {}),
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  ...(real
    ? {}
    : { webServer: { command: "node e2e/mock/main.mjs", url: "http://127.0.0.1:7072", reuseExistingServer: false } }),
});

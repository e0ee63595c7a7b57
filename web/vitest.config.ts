import { defineConfig } from "vitest/config";

// The unit tests are pure functions and file scans; what needs a browser is in e2e/.
export default defineConfig({
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});

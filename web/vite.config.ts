import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where `npm run dev` finds the API: a running `backstop serve`, or the mock of `npm run mock`. */
const api = process.env.BACKSTOP_API ?? "http://127.0.0.1:7071";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    // The server sends `script-src 'self'`: no inline scripts, no data: URLs, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    chunkSizeWarningLimit: 500,
  },
  server: { proxy: { "/backstop": api, "/v1": api } },
});

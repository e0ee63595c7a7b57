// npm run mock: the API on 7071 with a shop's data, on 7072 with none, for `npm run dev` and for the browser tests; on 7073 with a
// shop's data that the tests of acts.spec.ts change.
import { startMock } from "./server.mjs";

for (const [port, empty] of [
  [7071, false],
  [7073, false],
  [7072, true],
]) {
  await startMock({ port, empty });
  console.log(`mock API and dist/ on http://127.0.0.1:${port}${empty ? " (empty)" : ""}`);
}

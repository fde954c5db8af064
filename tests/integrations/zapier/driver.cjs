// Runs steps of the Zapier app with Zapier's own core. Each line on stdin is a path into the app and a bundle; each is
// answered by a line with the result.
const path = require("node:path");
const readline = require("node:readline");
const Module = require("node:module");
process.env.NODE_PATH = path.join(process.cwd(), "node_modules");
Module._initPaths();

const zapier = require("zapier-platform-core");
const { validateAppDefinition } = require("zapier-platform-schema");
const app = require(path.resolve(process.argv[2], "index.js"));
const answer = process.stdout.write.bind(process.stdout);
process.stdout.write = () => true; // the core writes there too
const run = zapier.createAppTester(app);

const plain = (_, value) => (typeof value === "function" ? { source: "return 1;" } : value);

async function done({ step, bundle }) {
  if (step === "validate") {
    const { errors } = validateAppDefinition(JSON.parse(JSON.stringify(app, plain)));
    return { errors: errors.map((error) => error.stack ?? String(error)) };
  }
  try {
    return { result: await run(step.split(".").reduce((inner, name) => inner[name], app), bundle) };
  } catch (error) {
    return { error: error.message };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    answer(`${JSON.stringify(await done(JSON.parse(line)))}\n`);
  }
  process.exit(0);
})();

// Reads {"name": "text", ...} on stdin; writes {"name": tokens, ...} in the vocabulary o200k_base.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const { countTokens } = createRequire(process.argv[2])("gpt-tokenizer/encoding/o200k_base");
const given = JSON.parse(await text(process.stdin));
const counted = Object.entries(given).map(([name, words]) => [name, countTokens(words)]);
process.stdout.write(JSON.stringify(Object.fromEntries(counted)));

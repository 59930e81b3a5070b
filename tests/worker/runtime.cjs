// Runs a Worker in Miniflare. Each line of the standard input contains Miniflare's options as JSON, and replaces the
// Worker. The answer is a line with its URL. The process ends with its standard input. It logs to the standard error.

const { Miniflare } = require("miniflare");
const { createInterface } = require("node:readline");

const handleRuntimeStdio = (...outputs) => outputs.forEach((output) => output.pipe(process.stderr));

async function main() {
  let miniflare = null;
  for await (const line of createInterface({ input: process.stdin })) {
    const options = { ...JSON.parse(line), handleRuntimeStdio };
    if (miniflare) {
      await miniflare.setOptions(options);
    } else {
      miniflare = new Miniflare(options);
    }
    console.log((await miniflare.ready).href);
  }
  await miniflare?.dispose();
}

main();

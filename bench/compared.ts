/**
 * `node bench/compared.ts [SCENARIO…] [CONTENDER…]`: what agent frameworks do when things go wrong, tried with real processes,
 * real SIGKILLs and a scripted model on loopback. Prints the table of docs/harness/compared.md. The peers are installed on
 * the first call (`bench/peers`), not with the product.
 */
import { contenders, ensurePeers, versionsOf } from "./compared/peers.ts";
import { Lab, type Finding } from "./compared/lab.ts";
import { scenarios } from "./compared/scenarios.ts";

const wanted = process.argv.slice(2);
const chosen = scenarios.filter(({ id }) => wanted.includes(id));
const names = Object.keys(contenders).filter((name) => wanted.includes(name));
const wrong = wanted.filter((word) => !Object.hasOwn(contenders, word) && !scenarios.some(({ id }) => id === word));
if (wrong.length > 0) {
  console.error(
    `There is no ${wrong.join(", ")}. There are: ${Object.keys(contenders).join(", ")}; ${scenarios.map(({ id }) => id).join(", ")}.`,
  );
  process.exit(2);
}

ensurePeers();
const lab = await new Lab().open();
try {
  console.log(`Node ${process.version}, ${versionsOf()}\n`);
  for (const scenario of chosen.length > 0 ? chosen : scenarios) {
    console.log(`### ${scenario.id}. ${scenario.question}\n\n| | | |\n|---|---|---|`);
    for (const name of names.length > 0 ? names : Object.keys(contenders)) {
      const { good, says } = await tried(() => scenario.run(lab, name));
      const mark = good === undefined ? "–" : good ? "yes" : "no";
      console.log(`| ${contenders[name]} | ${mark} | ${says.replaceAll("|", "/").replaceAll(/\s+/g, " ")} |`);
    }
    console.log("");
  }
} finally {
  lab.close();
}

async function tried(run: () => Promise<Finding>): Promise<Finding> {
  try {
    return await run();
  } catch (thrown) {
    return { good: undefined, says: `could not be tried: ${String(thrown)}` };
  }
}

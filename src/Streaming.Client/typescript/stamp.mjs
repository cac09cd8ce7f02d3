// Says in a generated file what it was made of, so that a test can tell when it is older: node stamp.mjs SOURCE GENERATED
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const [source, generated] = process.argv.slice(2);
const hash = createHash("sha256").update(readFileSync(source)).digest("hex");
writeFileSync(generated, `// of ${source} sha256 ${hash}\n${readFileSync(generated, "utf8")}`);

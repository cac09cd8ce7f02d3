// Says of which sources dist was built, in the form of `sha256sum`; a test compares. Also puts the licences of what is bundled beside it.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const files = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '.' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : files(path);
    return [path];
  });

const lines = files('.').sort().map((path) => `${createHash('sha256').update(readFileSync(path)).digest('hex')}  ${path}\n`);
writeFileSync('../dist/sources.sha256', lines.join(''));

const bundled = Object.keys(JSON.parse(readFileSync('package.json', 'utf8')).dependencies);
writeFileSync('../dist/licenses.txt', bundled.map((name) => `${name}\n\n${readFileSync(join('node_modules', name, 'LICENSE'), 'utf8').trim()}\n`).join('\n----\n\n'));

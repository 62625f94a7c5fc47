// Writes the ONNX operators that have kernels into README.md. With --check it only tells whether the list is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { loadGeneralOperators } from '../src/graph/load-operators.ts';
import { mappedOperators } from '../src/graph/operators/index.ts';

const file = new URL('../README.md', import.meta.url);
const LIST = /(?<=<!-- operators: npm run operators -->\n)[\s\S]*?(?=<!-- end -->)/;

await loadGeneralOperators();
const readme = readFileSync(file, 'utf8');
if (!LIST.test(readme)) throw new Error('README.md: expected the comments around the list of operators, got none');
const written = readme.replace(LIST, `${mappedOperators().sort().join(', ')}.\n`);
if (process.argv.includes('--check')) {
  if (readme !== written) {
    console.error("README.md's list of operators is out of date: run npm run operators");
    process.exitCode = 1;
  }
} else if (readme !== written) {
  writeFileSync(file, written);
}

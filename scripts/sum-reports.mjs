// Adds up vitest's JSON reports: every failure once more, then "N passed, N failed". Fails when a test did, or when none ran.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

let passed = 0;
let skipped = 0;
const failures = [];
for (const path of process.argv.slice(2)) {
  const report = JSON.parse(readFileSync(path, 'utf8'));
  passed += report.numPassedTests;
  skipped += report.numPendingTests;
  for (const { name, status, message, assertionResults } of report.testResults) {
    const file = relative('', name);
    const tests = assertionResults.filter((test) => test.status === 'failed');
    failures.push(...tests.map((test) => `${file}: ${test.fullName}\n${test.failureMessages.join('\n')}`));
    // a file that does not load, or a hook, fails without a test
    if (status === 'failed' && tests.length === 0) failures.push(`${file}\n${message || 'a hook failed'}`);
  }
}
for (const failure of failures) {
  const lines = failure.split('\n');
  console.log(`FAILED ${lines.slice(0, 30).join('\n  ')}\n`);
}
console.log(`${passed} passed, ${failures.length} failed, ${skipped} skipped`);
process.exit(failures.length > 0 || passed === 0 ? 1 : 0);

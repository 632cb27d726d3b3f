import { fileURLToPath } from 'node:url'

/**
 * What Node.js is given to run the program: the build that the test runner made, which starts in half the time, or the
 * source as it is.
 */
export function programArguments(): string[] {
  const built = process.env.BPMN_RELAY_TEST_PROGRAM
  if (built) return [built]
  return ['--import', 'tsx', fileURLToPath(new URL('../../src/main.ts', import.meta.url))]
}

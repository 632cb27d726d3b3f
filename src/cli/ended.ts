/** Thrown by a command that is done and says how by its exit code. */
export class Ended extends Error {
  constructor(readonly exitCode: number) {
    super(`ended with ${exitCode}`)
  }
}

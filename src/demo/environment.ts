import type { StackAddresses } from '../stack/stack.js'

/** The variables that make this program use a stack. */
export function environmentOf(addresses: StackAddresses): Record<string, string> {
  return {
    ...(addresses.postgres && { DATABASE_URL: addresses.postgres.url }),
    ...(addresses.zeebe && { ZEEBE_ADDRESS: addresses.zeebe.address }),
  }
}

/** Ready to paste into a shell. */
export function exportLines(environment: Record<string, string>): string {
  return Object.entries(environment)
    .map(([name, value]) => `export ${name}='${value}'`)
    .join('\n')
}

import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import type { Ports } from './held-server.js'

// Below the range systems take for outgoing connections: a client that keeps dialling a stopped server must not be
// given the server's own port as its local one.
const FIRST_PORT = 15_000
const LAST_PORT = 32_000

/**
 * Free ports for a server, kept in its folder: a server that starts again gets the same ones if they are still free.
 * @param widths names, each with the number of neighbouring ports it needs, counted from the port returned
 */
export async function choosePorts(folder: string, widths: Record<string, number>): Promise<Ports> {
  const file = path.join(folder, 'ports.json')
  const earlier: Ports = JSON.parse(await readFile(file, 'utf8').catch(() => '{}'))
  const ports: Ports = {}
  const taken = new Set<number>()
  for (const [name, width] of Object.entries(widths)) {
    let first = earlier[name] ?? randomPort()
    while (!(await areFree(first, width, taken))) first = randomPort()
    for (let port = first; port < first + width; port++) taken.add(port)
    ports[name] = first
  }
  await writeFile(file, JSON.stringify(ports))
  return ports
}

/** The port of this name, which the server's own start code chose before. */
export function portOf(ports: Ports, name: string): number {
  const port = ports[name]
  if (port === undefined) throw new Error(`no port named ${name} in ${JSON.stringify(ports)}`)
  return port
}

function randomPort(): number {
  return FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT))
}

async function areFree(first: number, width: number, taken: Set<number>): Promise<boolean> {
  for (let port = first; port < first + width; port++) {
    if (taken.has(port) || !(await isFree(port))) return false
  }
  return true
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

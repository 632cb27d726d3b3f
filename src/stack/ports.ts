import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import type { Ports } from './held-server.js'

// Below the range systems take for outgoing connections: a client that keeps dialling a stopped server must not be
// given the server's own port as its local one.
const FIRST_PORT = 15_000
const LAST_PORT = 32_000

/** Ports this process has given out, with their folder: servers that start side by side do not listen on them yet. */
const givenOut = new Map<number, string>()

/**
 * Free ports for a server, kept in its folder: a server that starts again gets the same ones if they are still free.
 * @param widths names, each with the number of neighbouring ports it needs, counted from the port returned
 */
export async function choosePorts(folder: string, widths: Record<string, number>): Promise<Ports> {
  const file = path.join(folder, 'ports.json')
  const earlier: Ports = JSON.parse(await readFile(file, 'utf8').catch(() => '{}'))
  for (const [port, owner] of givenOut) if (owner === folder) givenOut.delete(port)
  const ports: Ports = {}
  for (const [name, width] of Object.entries(widths)) {
    let first = earlier[name] ?? randomPort()
    while (!(await claim(first, width, folder))) first = randomPort()
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

/** Gives the ports to the folder if all of them are free. Marked before they are tried: others choose meanwhile. */
async function claim(first: number, width: number, folder: string): Promise<boolean> {
  const wanted = Array.from({ length: width }, (_, index) => first + index)
  if (wanted.some((port) => givenOut.has(port))) return false
  for (const port of wanted) givenOut.set(port, folder)
  for (const port of wanted) {
    if (await isFree(port)) continue
    for (const each of wanted) givenOut.delete(each)
    return false
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

import { readdir, readFile, readlink } from 'node:fs/promises'
import os from 'node:os'
import type { StackAddresses } from '../src/stack/stack.js'

/** Linux counts in hundredths of a second for programs, whatever its own clock. */
const TICKS_PER_SECOND = 100

const SERVERS = ['postgres', 'kafka', 'rocketmq', 'zeebe'] as const
type ServerName = (typeof SERVERS)[number]
/** CPU seconds since the server started; without those that cannot be read on this machine. */
export type ServerCpu = Partial<Record<ServerName, number>>

/**
 * Finds the processes that listen on the servers' ports, and returns a reader of their CPU time. It shows whether the
 * servers or the worker are the limit. Without /proc it reads nothing.
 */
export async function serverCpu(servers: Required<StackAddresses>): Promise<() => Promise<ServerCpu>> {
  const ports: Record<ServerName, number> = {
    postgres: Number(new URL(servers.postgres.url).port),
    kafka: portOf(servers.kafka.bootstrapServers),
    rocketmq: portOf(servers.rocketmq.proxyEndpoint),
    zeebe: portOf(servers.zeebe.address),
  }
  const pids = await listeningProcesses().catch(() => new Map<number, string>())
  return async () => ({
    ...(await reading('postgres')),
    ...(await reading('kafka')),
    ...(await reading('rocketmq')),
    ...(await reading('zeebe')),
  })

  async function reading(server: ServerName): Promise<ServerCpu> {
    const pid = pids.get(ports[server])
    return pid === undefined ? {} : { [server]: await treeSeconds(pid) }
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}

/** CPU seconds that were used over some time; of servers only those that can be read. */
export interface UsedCpu {
  servers: ServerCpu
  machine: number
}

export async function cpuDuring<T>(
  read: () => Promise<ServerCpu>,
  work: () => Promise<T>,
): Promise<{ result: T; used: UsedCpu }> {
  const [serversBefore, machineBefore] = [await read(), machineCpu()]
  const result = await work()
  const [serversAfter, machineAfter] = [await read(), machineCpu()]
  const servers: ServerCpu = {}
  for (const name of SERVERS) {
    const [before, after] = [serversBefore[name], serversAfter[name]]
    if (before !== undefined && after !== undefined) servers[name] = after - before
  }
  return { result, used: { servers, machine: machineAfter - machineBefore } }
}

/** What a run used of the machine, and of these servers per job. */
export function addCpuFigures(
  part: string,
  { servers, machine }: UsedCpu,
  names: readonly ServerName[],
  run: { jobs: number; seconds: number },
  figure: (name: string, value: number) => void,
): void {
  for (const name of names) {
    const seconds = servers[name]
    if (seconds !== undefined) figure(`${part}.${name}CpuMicrosPerJob`, (seconds * 1e6) / run.jobs)
  }
  figure(`${part}.busyCores`, machine / run.seconds)
}

/** CPU seconds of all cores that were not idle, since the machine started. */
function machineCpu(): number {
  const busy = os.cpus().map(({ times }) => times.user + times.nice + times.sys + times.irq)
  return busy.reduce((sum, each) => sum + each, 0) / 1000
}

async function listeningProcesses(): Promise<Map<number, string>> {
  const portOfInode = new Map<string, number>()
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (await readFile(file, 'utf8')).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/)
      const [, port = ''] = fields[1]?.split(':') ?? []
      const [state, inode] = [fields[3], fields[9]]
      if (state === '0A' && inode !== undefined) portOfInode.set(inode, Number.parseInt(port, 16))
    }
  }
  const pids = new Map<number, string>()
  for (const pid of await processIds()) {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => [])
    for (const descriptor of descriptors) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')
      const port = portOfInode.get(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '')
      // Children inherit the socket of their parent, which has the lowest id.
      if (port !== undefined && Number(pid) < Number(pids.get(port) ?? Number.POSITIVE_INFINITY))
        pids.set(port, pid)
    }
  }
  return pids
}

async function processIds(): Promise<string[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
}

/** Of a process, its children, and the children it has already seen end: Postgres has one a connection. */
async function treeSeconds(root: string): Promise<number> {
  let ticks = 0
  for (const pid of await processIds()) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
    // The name in parentheses may itself hold blanks and parentheses. Fields after it: state, parent, …
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (!fields || (pid !== root && fields[1] !== root)) continue
    const [user, system, endedUser, endedSystem] = fields.slice(11, 15).map(Number)
    ticks += (user ?? 0) + (system ?? 0) + (pid === root ? (endedUser ?? 0) + (endedSystem ?? 0) : 0)
  }
  return ticks / TICKS_PER_SECOND
}

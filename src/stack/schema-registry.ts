import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { holdServer } from './held-server.js'
import { jvmCommand } from './jvm.js'
import type { LocalServer, StartOptions } from './local-server.js'
import { installServer } from './maven.js'
import { choosePorts, portOf } from './ports.js'
import { waitUntilReady } from './readiness.js'

const RUNNER = 'apicurio-registry-app-3.0.9-runner.jar'

export interface LocalSchemaRegistry extends LocalServer {
  /** Where it speaks the API of Confluent's Schema Registry. */
  url: string
}

/**
 * A schema registry that keeps its schemas in memory.
 * @throws RelayError STACK_PREREQUISITE_MISSING, STACK_SERVER_FAILED
 */
export async function startSchemaRegistry({
  folder: given,
  onProgress,
}: StartOptions): Promise<LocalSchemaRegistry> {
  const { java, files } = await installServer('schema-registry', onProgress)
  onProgress({ server: 'schema-registry', text: 'starting' })
  const server = await holdServer('schema-registry', given, async () => {
    const folder = await realpath(given)
    const ports = await choosePorts(folder, { http: 1, management: 1 })
    const jvm = await jvmCommand(java, folder, 512, [
      '-Dquarkus.http.host=127.0.0.1',
      `-Dquarkus.http.port=${portOf(ports, 'http')}`,
      '-Dquarkus.management.host=127.0.0.1',
      `-Dquarkus.management.port=${portOf(ports, 'management')}`,
      '-jar',
      path.join(files, RUNNER),
    ])
    return { ...jvm, ports }
  })
  const url = `http://127.0.0.1:${portOf(server.ports, 'http')}/apis/ccompat/v7`
  await waitUntilReady(server, () => answers(url), 90_000)
  onProgress({ server: 'schema-registry', text: `ready at ${url}` })
  return { url, kill: server.kill, stop: server.release }
}

async function answers(url: string): Promise<void> {
  const answer = await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(4_000) })
  await answer.arrayBuffer()
  if (!answer.ok) throw new Error(`it answers ${answer.status} when asked for its subjects`)
}

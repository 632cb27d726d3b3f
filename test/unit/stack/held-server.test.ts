import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { it } from 'node:test'
import { isHeld } from '../../../src/stack/held-server.js'

/** Listens, and never takes a connection: who connects still waits in the queue when it dies. */
const DEAF_KEEPER = `
  require('node:net').createServer().listen(process.argv[1], () => {
    require('node:fs').writeSync(1, 'listening')
    for (;;);
  })`

it('a keeper that dies before it has greeted holds nothing, and harms nobody who asked', async (t) => {
  const folder = await realpath(await mkdtemp(path.join(os.tmpdir(), 'bpmn-relay-')))
  const keeper = spawn(process.execPath, ['-e', DEAF_KEEPER, path.join(folder, 'keeper.sock')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(async () => {
    keeper.kill('SIGKILL')
    await rm(folder, { recursive: true })
  })
  await once(keeper.stdout, 'data')
  const held = isHeld(folder)
  // Asked behind what `isHeld` asks before it connects.
  await realpath(folder)
  await realpath(folder)
  keeper.kill('SIGKILL')
  assert.equal(await held, false)
})

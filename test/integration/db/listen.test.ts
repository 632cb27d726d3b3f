import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLog } from '../../../src/core/log.js'
import { withTimeLimit } from '../../../src/core/time-limit.js'
import { listen } from '../../../src/db/listen.js'
import { createTestDatabase } from '../../helpers/database.js'

describe('listening for changes', () => {
  for (const turns of [0, 1, 2, 5, 20, 100]) {
    it(`can be closed ${turns} turns of the event loop after its start`, async (t) => {
      const { url } = await createTestDatabase(t)
      const listening = listen(url, 'any', () => undefined, silentLog)
      for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      await withTimeLimit(listening.close(), 5000, () => new assert.AssertionError({ message: 'it hangs' }))
    })
  }
})

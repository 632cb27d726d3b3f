import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brokerDrivers } from '../../../src/brokers/registry.js'
import { RelayError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'

const ADDRESS = '127.0.0.1:9'

for (const driver of brokerDrivers().values()) {
  describe(`an adapter of kind ${driver.kind}`, () => {
    for (const given of [2.5, '2.5']) {
      it(`may be given the rate limit ${JSON.stringify(given)}`, async (t) => {
        const settings = { maxMessagesPerSecond: given }
        const connection = driver.connect(ADDRESS, settings, { adapter: 'a', log: silentLog })
        t.after(() => connection.close())
        assert.equal(connection.maxMessagesPerSecond, 2.5)
      })
    }

    it('has no rate limit unless it is given one', async (t) => {
      const connection = driver.connect(ADDRESS, {}, { adapter: 'a', log: silentLog })
      t.after(() => connection.close())
      assert.equal(connection.maxMessagesPerSecond, undefined)
    })

    it('is refused a rate limit of 0, with the setting and what would do', () => {
      assert.throws(
        () => driver.validate(ADDRESS, { maxMessagesPerSecond: 0 }),
        (error) =>
          error instanceof RelayError &&
          error.code === 'SETTINGS_INVALID' &&
          /maxMessagesPerSecond (is )?0\b.*0\.01/.test(error.message),
      )
    })
  })
}

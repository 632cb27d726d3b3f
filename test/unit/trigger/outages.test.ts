import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type ErrorCode, RelayError } from '../../../src/core/errors.js'
import { isOutage } from '../../../src/trigger/outages.js'

it('servers that are away and adapters that cannot be used are no fault of a message; what is said of it is', () => {
  const isSo = (code: ErrorCode) => isOutage(new RelayError(code, ''))
  const away = ['ENGINE_UNREACHABLE', 'ENGINE_BUSY', 'DATABASE_AWAY', 'BROKER_TIMEOUT'] as const
  const closed = ['AUTHENTICATION_FAILED', 'ADAPTER_DISABLED', 'ADAPTER_OUT_OF_SERVICE'] as const
  const unusable = ['ENV_UNKNOWN', 'MASTER_KEY_MISSING', 'SETTINGS_INVALID'] as const
  for (const code of [...away, ...closed, ...unusable]) assert.equal(isSo(code), true, code)
  for (const code of ['INTERNAL', 'ENGINE_REFUSED', 'TOPIC_UNKNOWN', 'MESSAGE_TOO_LARGE'] as const)
    assert.equal(isSo(code), false, code)
})

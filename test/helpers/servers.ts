import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { StackAddresses } from '../../src/stack/stack.js'

const Addresses = Type.Object({
  postgres: Type.Object({ url: Type.String() }),
  zeebe: Type.Object({ address: Type.String(), managementUrl: Type.String() }),
  kafka: Type.Object({ bootstrapServers: Type.String() }),
  rocketmq: Type.Object({ nameServer: Type.String(), proxyEndpoint: Type.String() }),
})

/** Addresses of the servers that the test runner started for all tests. */
export function testServers(): Required<StackAddresses> {
  const text = process.env.BPMN_RELAY_TEST_SERVERS
  if (!text) {
    throw new Error(
      'BPMN_RELAY_TEST_SERVERS is not set: run this file by `npm test -- FILE`, which starts the servers, ' +
        'or set it to the addresses of running ones as JSON',
    )
  }
  return Value.Parse(Addresses, JSON.parse(text))
}

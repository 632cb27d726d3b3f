// A process that owns local servers and does nothing else, for tests about what is left when it ends.
// Arguments: a data folder, then names of servers (a stack), or none (the Postgres of that folder alone).
// Prints the addresses as one line of JSON once the servers are ready.
import { holdPostgres } from '../../src/stack/postgres.js'
import { SERVER_NAMES, startStack } from '../../src/stack/stack.js'

const [folder, ...names] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: server-owner FOLDER [SERVER...]')
const servers = SERVER_NAMES.filter((name) => names.includes(name))
if (servers.length > 0) {
  const { addresses } = await startStack({ dataFolder: folder, servers, onProgress: () => undefined })
  console.log(JSON.stringify(addresses))
} else {
  const { url } = await holdPostgres(folder)
  console.log(JSON.stringify({ postgres: { url } }))
}

import { testServers } from '../../helpers/servers.js'
import { describeBatches, describeRemotingBatches } from './batches-suite.js'

const nameServer = () => testServers().rocketmq.nameServer
const proxy = () => testServers().rocketmq.proxyEndpoint

describeBatches({ version: '5', protocol: 'remoting', nameServer, address: nameServer })
describeBatches({ version: '5', protocol: 'grpc', nameServer, address: proxy })
describeRemotingBatches('5', nameServer)

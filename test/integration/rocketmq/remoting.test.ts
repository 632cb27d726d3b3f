import { testServers } from '../../helpers/servers.js'
import { describeRemoting } from './remoting-suite.js'

describeRemoting('5', () => testServers().rocketmq.nameServer)

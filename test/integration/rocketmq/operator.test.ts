import { testServers } from '../../helpers/servers.js'
import { describeOperator } from './operator-suite.js'

describeOperator('5', () => testServers().rocketmq.nameServer, 'NORMAL')

import { mqadmin } from '../../helpers/rocketmq-java.js'
import { testServers } from '../../helpers/servers.js'
import { describeOperator } from './operator-suite.js'

describeOperator('5', () => testServers().rocketmq.nameServer, mqadmin, 'NORMAL')

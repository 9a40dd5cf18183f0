/** The account's money: what there is, what is bound, asking for more or less of it, and every movement. */

import { registerPanel } from '../../workspace/panels'
import { FundsPanel } from './FundsPanel'

registerPanel({ id: 'funds', title: 'Funds', icon: 'funds', component: FundsPanel })

/** The order book: live from the account's facts, with change, cancellation and the history of each. */

import { registerPanel } from '../../workspace/panels'
import { OrdersPanel } from './OrdersPanel'

registerPanel({ id: 'orders', title: 'Orders', icon: 'orders', component: OrdersPanel })

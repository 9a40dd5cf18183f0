/** The order ticket: everything one order may say, what it would need, and sending it once. */

import { registerPanel } from '../../workspace/panels'
import { TicketPanel } from './TicketPanel'

registerPanel({ id: 'ticket', title: 'Order ticket', icon: 'ticket', component: TicketPanel })

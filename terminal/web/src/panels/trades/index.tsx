/** The trade book: today's fills live, earlier ones by page. */

import { registerPanel } from '../../workspace/panels'
import { TradesPanel } from './TradesPanel'

registerPanel({ id: 'trades', title: 'Trades', icon: 'trades', component: TradesPanel })

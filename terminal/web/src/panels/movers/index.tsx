/** What moved most today, over what is subscribed. */

import { registerPanel } from '../../workspace/panels'
import { MoversPanel } from './MoversPanel'

registerPanel({ id: 'movers', title: 'Movers', icon: 'movers', component: MoversPanel, defaults: { kind: 'GAINERS', types: '' } })

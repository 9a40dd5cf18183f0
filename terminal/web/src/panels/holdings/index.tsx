/** Settled shares at their last prices. */

import { registerPanel } from '../../workspace/panels'
import { HoldingsPanel } from './HoldingsPanel'

registerPanel({ id: 'holdings', title: 'Holdings', icon: 'holdings', component: HoldingsPanel })

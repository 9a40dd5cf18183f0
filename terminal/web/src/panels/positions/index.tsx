/** Positions with their live profit, exits and conversion. */

import { registerPanel } from '../../workspace/panels'
import { PositionsPanel } from './PositionsPanel'

registerPanel({ id: 'positions', title: 'Positions', icon: 'positions', component: PositionsPanel })

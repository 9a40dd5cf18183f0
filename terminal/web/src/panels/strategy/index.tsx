/** The strategy builder: legs on live chains, what they pay, what they need, and placing them together. */

import { registerPanel } from '../../workspace/panels'
import { StrategyPanel } from './StrategyPanel'

registerPanel({ id: 'strategy', title: 'Strategy', icon: 'strategy', component: StrategyPanel })

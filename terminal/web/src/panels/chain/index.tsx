/** The option chain. */

import '../../styles/market.css'
import './chain.css'

import { registerPanel } from '../../workspace/panels'
import { ChainPanel } from './ChainPanel'

registerPanel({ id: 'chain', title: 'Option chain', icon: 'chain', component: ChainPanel })

/** The depth ladder. */

import './depth.css'

import { registerPanel } from '../../workspace/panels'
import { DepthPanel } from './DepthPanel'

registerPanel({ id: 'depth', title: 'Depth', icon: 'depth', component: DepthPanel })

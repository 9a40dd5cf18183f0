/** The chart. */

import './chart.css'

import { registerPanel } from '../../workspace/panels'
import { ChartPanel } from './ChartPanel'

registerPanel({ id: 'chart', title: 'Chart', icon: 'chart', component: ChartPanel })

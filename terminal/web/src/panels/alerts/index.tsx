/** Price alerts: those that stand, those that fired, and setting one. */

import './alerts.css'

import { registerPanel } from '../../workspace/panels'
import { AlertsPanel } from './AlertsPanel'

registerPanel({ id: 'alerts', title: 'Alerts', icon: 'alerts', component: AlertsPanel })

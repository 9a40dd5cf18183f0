/** How the page looks and behaves, and how one signs in. */

import './settings.css'

import { registerPanel } from '../../workspace/panels'
import { SettingsPanel } from './SettingsPanel'

registerPanel({ id: 'settings', title: 'Settings', icon: 'settings', component: SettingsPanel })

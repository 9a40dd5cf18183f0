/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="alerts" />
}

registerPanel({ id: 'alerts', title: 'Alerts', icon: 'alerts', component: Panel })

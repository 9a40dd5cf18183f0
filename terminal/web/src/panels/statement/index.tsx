/** The account's days as they were closed: a page to print and a file for each. */

import { registerPanel } from '../../workspace/panels'
import { StatementPanel } from './StatementPanel'

registerPanel({ id: 'statement', title: 'Statements', icon: 'statement', component: StatementPanel })

"""Who may do what: roles and their rights, and the trail of what was done."""

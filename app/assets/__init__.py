"""What people enter of their plant: sites, areas, machines and measuring points."""

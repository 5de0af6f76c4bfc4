"""Questions to the list of matters that a unit keeps under a title. They hold codes and a period, and no words."""

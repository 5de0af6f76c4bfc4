"""A unit above looks into the work of an office: scope, remarks, remedies with dates, the end."""

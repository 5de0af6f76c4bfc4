"""What the office says in public: the publication, its corrections, and its withdrawal."""

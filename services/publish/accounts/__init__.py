"""The office's account to the public: figures of each unit and month, folded from events, small numbers left out."""

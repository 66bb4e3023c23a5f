"""Who proposes strategies: language models, programs, genetic search, recorded runs."""
